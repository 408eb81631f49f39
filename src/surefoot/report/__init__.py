"""How things are told: to a person, to a program, to the process that started us."""
