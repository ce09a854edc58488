"""Measurements of the running product, each beside a floor in the same run. ``script/bench`` runs them."""
