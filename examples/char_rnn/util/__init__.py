"""What training and sampling share."""
