"""The page System."""

from viewer import system_page

system_page.draw()
