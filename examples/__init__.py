"""Short programs, one idea each; a package only so that the tests can run them."""
