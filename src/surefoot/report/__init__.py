"""Reports for a person, for a program, and for the process that started this one."""
