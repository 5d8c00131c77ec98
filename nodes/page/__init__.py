"""What the nodes tell the page: cards, reports, images, progress, log."""
