// Runs a Python program on CPython as built for WebAssembly: node run.mjs SITE CHECKOUT PROGRAM
// SITE holds the installed packages, CHECKOUT the tests; they are /site and /checkout there. Exit status: the program's
// last value, or 1 for an exception.
import { readFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const [site, checkout, program] = process.argv.slice(2);
const python = await loadPyodide();
python.mountNodeFS("/site", site);
python.mountNodeFS("/checkout", checkout);
try {
  process.exitCode = python.runPython(readFileSync(program, "utf8"));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
