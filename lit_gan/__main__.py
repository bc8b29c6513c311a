"""Entry point of ``python -m lit_gan``, which runs the ``lit-gan`` command."""

from lit_gan.cli import main

if __name__ == "__main__":
    main()
