"""accelerate: gradients accumulated and clipped, a scheduler, and a state that is saved and loaded in the middle."""

import pytest
import torch
from frameworks.small_models import BATCH, EPOCHS, OPTIONS, ROWS, assert_same_bits, loader, loss_of, model, schedule

from fastadam.torch import AdamW

accelerate = pytest.importorskip("accelerate", reason="needs accelerate")
ACCUMULATED, MAX_NORM = 2, 0.5


def by_hand():
    net = model()
    optimizer = AdamW(net.parameters(), **OPTIONS)
    scheduler = schedule(optimizer)
    for _ in range(EPOCHS):
        for i, (x, y) in enumerate(loader()):
            (loss_of(net, x, y) / ACCUMULATED).backward()
            if i % ACCUMULATED == ACCUMULATED - 1:
                torch.nn.utils.clip_grad_norm_(net.parameters(), MAX_NORM)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
    return net


@pytest.mark.parametrize("resumed", [False, True])
def test_training_has_the_bits_of_a_loop_by_hand(resumed, tmp_path):
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=ACCUMULATED)

    def prepared():
        net = model()
        optimizer = AdamW(net.parameters(), strict=True, **OPTIONS)
        return accelerator.prepare(net, optimizer, loader(), schedule(optimizer))

    net, optimizer, batches, scheduler = prepared()
    for epoch in range(EPOCHS):
        if resumed and epoch == 1:
            accelerator.save_state(tmp_path)
            accelerator.free_memory()
            net, optimizer, batches, scheduler = prepared()
            accelerator.load_state(tmp_path)
        for x, y in batches:
            with accelerator.accumulate(net):
                accelerator.backward(loss_of(net, x, y))
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(net.parameters(), MAX_NORM)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
    assert_same_bits(accelerator.unwrap_model(net), by_hand())
    steps = EPOCHS * ROWS // BATCH // ACCUMULATED
    assert [state["step"] for state in optimizer.state.values()] == [steps] * len([*net.parameters()])
    assert isinstance(optimizer.optimizer, AdamW)
    assert optimizer.optimizer.fallbacks == 0
