"""How certain: risk of bias, GRADE, absolute effects, summary of findings."""
