"""Any input at all: every public function and command answers, or refuses in one line by name."""
