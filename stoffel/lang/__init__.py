"""StoffelLang: from source text to programs. Nothing here knows how a program is run.

`lexer` -> tokens -> `parser` -> `syntax` tree -> `checker` -> `typed_tree` -> `codegen` -> steps -> `registers` ->
functions; `modules` does that for a file and for those that it imports, `compiler` is the door.
"""
