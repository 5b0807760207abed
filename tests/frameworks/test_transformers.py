"""transformers' Trainer: each of its steps by the reference's bits, and a run that goes on from a checkpoint."""

import pytest
import torch
from frameworks.small_models import OPTIONS, Replay, assert_same_bits

from fastadam.torch import AdamW

transformers = pytest.importorskip("transformers", reason="needs transformers")
STEPS, VOCABULARY, CONTEXT = 6, 16, 8


def gpt():
    torch.manual_seed(0)
    size = {"n_layer": 1, "n_head": 2, "n_embd": 8, "n_positions": CONTEXT, "vocab_size": VOCABULARY}
    tokens = {"bos_token_id": 0, "eos_token_id": 0}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**size, **tokens))


def texts():
    rng = torch.Generator().manual_seed(1)
    pieces = torch.randint(VOCABULARY, (12, CONTEXT), generator=rng)
    return [{"input_ids": piece, "labels": piece} for piece in pieces]


class Steps(transformers.TrainerCallback):
    """Replays each step, and takes the optimizer from the trainer."""

    replay = None

    def on_pre_optimizer_step(self, args, state, control, optimizer, **_):
        self.optimizer = getattr(optimizer, "optimizer", optimizer)
        self.replay = self.replay or Replay(self.optimizer)
        self.replay.step()


def train(folder, resume=None):
    net, steps = gpt(), Steps()
    arguments = transformers.TrainingArguments(
        output_dir=folder, max_steps=STEPS, save_steps=STEPS // 2, per_device_train_batch_size=4, max_grad_norm=0.5,
        weight_decay=0.1, report_to=[], disable_tqdm=True, use_cpu=True, logging_strategy="no",
    )  # fmt: skip
    trainer = transformers.Trainer(
        net, arguments, train_dataset=texts(), callbacks=[steps], optimizer_cls_and_kwargs=(AdamW, {**OPTIONS, "strict": True})
    )
    trainer.train(resume_from_checkpoint=resume)
    return net, steps


def test_each_step_has_the_references_bits_and_a_resumed_run_ends_as_one_without_a_break(tmp_path):
    net, steps = train(tmp_path / "whole")
    again, others = train(tmp_path / "resumed", tmp_path / "whole" / f"checkpoint-{STEPS // 2}")
    for optimizer in (steps.optimizer, others.optimizer):
        assert isinstance(optimizer, AdamW)
        assert optimizer.fallbacks == 0
        assert {float(state["step"]) for state in optimizer.state.values()} == {STEPS}
    assert_same_bits(again, net)
    steps.replay.assert_same_bits()
    assert [group["weight_decay"] for group in steps.optimizer.param_groups] == [0.1, 0.0]
