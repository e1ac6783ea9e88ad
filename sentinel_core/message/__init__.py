"""Messages: content rendered in each channel's words and markup. Pure; sends nothing."""
