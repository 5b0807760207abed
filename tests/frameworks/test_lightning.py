"""Lightning, whose trainer steps with a closure: clipping, a scheduler, and a run that goes on from a checkpoint."""

import pytest
import torch
from frameworks.small_models import EPOCHS, OPTIONS, assert_same_bits, loader, loss_of, model, schedule

from fastadam.torch import AdamW

lightning = pytest.importorskip("lightning", reason="needs lightning")
MAX_NORM = 0.5


def by_hand():
    net = model()
    optimizer = AdamW(net.parameters(), **OPTIONS)
    scheduler = schedule(optimizer)
    for _ in range(EPOCHS):
        for x, y in loader():
            optimizer.zero_grad()
            loss_of(net, x, y).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), MAX_NORM)
            optimizer.step()
            scheduler.step()
    return net


class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = model()

    def training_step(self, batch):
        return loss_of(self.net, *batch)

    def configure_optimizers(self):
        self.optimizer = AdamW(self.parameters(), strict=True, **OPTIONS)
        return {"optimizer": self.optimizer, "lr_scheduler": {"scheduler": schedule(self.optimizer), "interval": "step"}}


def trainer(folder, epochs):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return lightning.Trainer(
        accelerator="cpu", devices=1, max_epochs=epochs, default_root_dir=folder, gradient_clip_val=MAX_NORM, **quiet
    )


@pytest.mark.parametrize("resumed", [False, True])
def test_training_has_the_bits_of_a_loop_by_hand(resumed, tmp_path):
    module, checkpoint = Module(), None
    if resumed:
        first = trainer(tmp_path, 1)
        first.fit(Module(), loader())
        checkpoint = tmp_path / "one.ckpt"
        first.save_checkpoint(checkpoint)
    trainer(tmp_path, EPOCHS).fit(module, loader(), ckpt_path=checkpoint)
    assert_same_bits(module.net, by_hand())
    assert module.optimizer.fallbacks == 0
