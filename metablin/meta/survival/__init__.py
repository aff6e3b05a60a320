"""Survival across trials: pooled curves, and patients of several trials in one or two stages."""
