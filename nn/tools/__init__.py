"""Training, and checks of derivatives."""
