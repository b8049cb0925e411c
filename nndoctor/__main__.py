"""`python -m nndoctor` is the same command as `nndoctor`."""

from nndoctor.cli import main

if __name__ == "__main__":
    main()
