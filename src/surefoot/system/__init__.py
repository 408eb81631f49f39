"""surefoot as a process: signals, the child process that runs the application's code, modules."""
