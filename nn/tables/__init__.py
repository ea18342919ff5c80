"""Modules on tables of tensors, and those that change or cut the shape of a tensor."""
