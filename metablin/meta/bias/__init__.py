"""Small-study effects and selection beyond the first tests: what bias could have done."""
