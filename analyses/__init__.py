"""The analyses: each module reads the evidence, calls metablin and returns tables and figures."""
