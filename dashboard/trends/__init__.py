"""What a sales analyst asks of revenue: grains, ranges, comparisons, figures, seasons (`trend` puts them together)."""
