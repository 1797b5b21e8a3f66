"""The smallest typer command there is."""

import typer

app = typer.Typer()


@app.command()
def main() -> None:
    """Say a version."""
    typer.echo("1.0")


app()
