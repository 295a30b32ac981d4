"""How the site is built from the pages of this folder: `make site`."""

import graflow_fast

project = "graflow_fast"
author = "the authors of graflow_fast"
version = release = graflow_fast.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["errors"]  # the programs of the errors page
nitpicky = False  # types of the standard library have no page here

# The pages are read on a forge, too: plain Markdown, with a link target for each heading.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

# Docstrings say `name` for a name, which becomes a link where there is one.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"graflow_fast {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
smartquotes = False  # headings say schedule="parallel"
copybutton_exclude = ".linenos, .gp, .go"
