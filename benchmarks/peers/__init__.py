"""How others hand out numbers, written small and to their advantage: the way their own sources do it, without the rest."""
