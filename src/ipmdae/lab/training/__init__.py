"""One training loop for every network: recipe, data, Lightning module, callbacks."""
