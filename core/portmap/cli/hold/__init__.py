"""The command that holds ports open: instances, reload, the service manager, metrics, a child process.

arguments           HoldArguments: flags, environment and file -> instances
child_process       ChildProcess: start, pass signals on, exit code
human_lines         HumanLines, HumanMessages: what people read while ports are held
metrics             --metrics: the Prometheus endpoint
metrics_totals      MetricTotals: the counted numbers; pure
no_service_manager  NoServiceManager: where no service manager has started us
page_server         PageServer: a small HTTP server for one page, bounded
reload              change the running sessions into what is wanted now
run                 `portmap run`
service_manager     systemd: sd_notify messages, readiness, watchdog
sessions            SessionSet: the running sessions by instance name
setup               output, metrics and greeting for the supervisor
start               print what was asked, then import and run the rest
summary             all sessions in one line; pure
supervisor          Supervisor: runs the instances until a signal; reload
"""
