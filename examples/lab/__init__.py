"""What the programs of the gallery share."""
