"""GANCallback: the base class of callbacks for LitGAN, of which a Trainer may have several of one class."""

from itertools import takewhile
from typing import Any, ClassVar

from pytorch_lightning import Callback, LightningModule, Trainer

from lit_gan._utils.arguments import shown
from lit_gan._utils.checkpoint_file import NOT_READ
from lit_gan._utils.errors import LitGANError, LitGANTypeError
from lit_gan._utils.representation import in_one_line
from lit_gan.gan import LitGAN

__all__ = ["GANCallback"]


class GANCallback(Callback):
    """Base class of callbacks for :class:`lit_gan.LitGAN`, of which a Trainer may have several with other arguments.

    A subclass that overrides ``setup`` must call ``super()`` in it.
    """

    name: ClassVar[str]
    """Name of the files or the folder that it writes, if it writes some."""
    __repr__ = in_one_line

    @property
    def state_key(self) -> str:
        """Return the callback as in code: the key of its state in a checkpoint.

        If there is none of this key, a resumed callback gets a state of its class (:func:`match_callback_states`).
        """
        return repr(self)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Raise if the model is not a LitGAN."""
        if not isinstance(pl_module, LitGAN):
            raise LitGANTypeError(
                f"{type(self).__name__} is a callback for LitGAN, and the Trainer was given "
                f"{type(pl_module).__name__}: leave it out"
            )

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Refuse a state in a checkpoint that this callback has not written, before ``load_state_dict`` reads it.

        Raises:
            ValueError: the state is none of this callback's.
        """
        state = checkpoint["callbacks"].get(self.state_key)
        if state and not self._wrote(state, pl_module):
            raise LitGANError(f"the checkpoint's state of {type(self).__name__} is none, {shown(state)}: {NOT_READ}")

    def _wrote(self, state: dict[str, Any], model: LightningModule) -> bool:
        """Tell whether ``state``, from a file, has the form of what ``state_dict`` returns in a run of ``model``."""
        return True

    def own_name(self, trainer: Trainer) -> str:
        """Return ``name``, as ``name-2`` for the second callback of a Trainer that writes under it, and so on."""
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        before = takewhile(lambda callback: callback is not self, callbacks)
        number = 1 + sum(getattr(callback, "name", None) == self.name for callback in before)
        return self.name if number == 1 else f"{self.name}-{number}"
