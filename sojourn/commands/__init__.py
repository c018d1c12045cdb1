"""The commands of `sojourn`, each in a module with `configure(parser)` and `execute(args) -> exit code`, loaded when it is asked for."""
