"""What a deck may ask for: the bands that a basis set has, the meshes that a crystal allows."""
