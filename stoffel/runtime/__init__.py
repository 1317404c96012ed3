"""Running a program: values, tables, activation records, hooks, the interpreter and the machine."""
