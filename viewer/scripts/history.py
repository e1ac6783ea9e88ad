"""The page History."""

from viewer import history_page

history_page.draw()
