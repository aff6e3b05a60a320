"""What a pool rests on: influence, deletion, accumulation, small-study effects, selection."""
