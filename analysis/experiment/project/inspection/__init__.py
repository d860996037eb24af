"""Visual inspection of packages on a conveyor: which defects an image shows, and where."""
