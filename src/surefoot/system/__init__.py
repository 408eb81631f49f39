"""surefoot as a process: signals, the process in which the application's code runs, its modules."""
