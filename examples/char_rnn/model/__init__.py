"""One time step of each model, as a graph."""
