"""The page Activity."""

from viewer import activity_page

activity_page.draw()
