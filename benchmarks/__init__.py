"""Speed and accuracy, side by side with the peers that are installed."""
