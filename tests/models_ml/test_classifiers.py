import json

import pytest
import torch
from torch import Tensor

from models_ml.core.classifiers import (
    KINDS,
    Classifier,
    ClassifierConfig,
    KimCNN,
    load_classifier,
    new_classifier,
    save_classifier,
)


def small(kind: str, seed: int = 0) -> Classifier:
    """Three classes over vectors of five dimensions, in float64."""
    config = ClassifierConfig(kind, filters=7, widths=(2, 3, 5), hidden=6)
    generator = torch.Generator().manual_seed(seed)
    return new_classifier(config, dim=5, classes=3, generator=generator).double()


def random_documents(*lengths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(n, 5, dtype=torch.float64, generator=generator) for n in lengths]


def padded(documents: list[Tensor], filler: float) -> tuple[Tensor, Tensor]:
    """Return one batch, two positions longer than its longest document."""
    lengths = torch.tensor([len(document) for document in documents])
    batch = torch.full((len(documents), int(lengths.max()) + 2, 5), filler, dtype=torch.float64)
    for row, document in zip(batch, documents, strict=True):
        row[: len(document)] = document
    return batch, lengths


def kims_logits(model: KimCNN, document: Tensor) -> Tensor:
    """Return Kim's network written window by window, (classes,)."""
    best = []
    for convolution in model.convolutions:
        width = convolution.kernel_size[0]
        filled = torch.cat([document, torch.zeros(max(width - len(document), 0), 5)])
        windows = [filled[i : i + width].T for i in range(len(filled) - width + 1)]
        scores = [(convolution.weight * w).sum(dim=(1, 2)) + convolution.bias for w in windows]
        best.append(torch.stack([score.relu() for score in scores]).amax(dim=0))
    return model.classifier.weight @ torch.cat(best) + model.classifier.bias


def test_cnn_gives_what_kims_definition_gives_document_by_document():
    model = small("cnn")
    documents = random_documents(1, 2, 3, 4, 5, 9)
    documents[3][1] = 0  # an unknown token
    logits = model(*padded(documents, filler=0.0))
    expected = torch.stack([kims_logits(model, document) for document in documents])
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12)


def test_a_document_shorter_than_a_filter_has_one_window_filled_with_zeros_at_its_end():
    config = ClassifierConfig("cnn", filters=1, widths=(3,))
    model = new_classifier(config, dim=1, classes=1, generator=torch.Generator())
    with torch.no_grad():
        model.convolutions[0].weight.copy_(torch.tensor([[[1.0, 10.0, 100.0]]]))
        model.convolutions[0].bias.fill_(0.5)
        model.classifier.weight.fill_(1.0)
        model.classifier.bias.fill_(0.0)
    batch = torch.tensor([[2.0, 0, 0, 0], [1.0, 2, 3, 4]])[:, :, None]
    # 2·1 + ½; windows (1,2,3) = 321 and (2,3,4) = 432 + ½, but none that starts later.
    assert model(batch, torch.tensor([1, 4])).tolist() == [[2.5], [432.5]]


@pytest.mark.parametrize("kind", KINDS)
def test_logits_do_not_depend_on_what_stands_past_a_documents_end(kind):
    model = small(kind)
    documents = random_documents(6, 1, 2, 4)
    together = model(*padded(documents, filler=99.0))
    alone = [model(document[None], torch.tensor([len(document)])) for document in documents]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-12)


def test_logistic_is_linear_in_the_mean_over_all_tokens():
    model = new_classifier(
        ClassifierConfig("logistic"), dim=2, classes=2, generator=torch.Generator()
    )
    with torch.no_grad():
        model.classifier.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 10.0]]))
        model.classifier.bias.copy_(torch.tensor([0.0, 1.0]))
    document = torch.tensor([[[3.0, 6.0], [3.0, 0.0], [0.0, 0.0]]])  # the last one is unknown
    assert model(document, torch.tensor([3])).tolist() == [[2.0, 21.0]]


def test_dan_has_two_hidden_relu_layers_over_the_mean():
    model = small("dan")
    document = random_documents(4)[0]
    hidden = document.mean(dim=0)
    for layer in model.hidden:
        hidden = (layer.weight @ hidden + layer.bias).relu()
    expected = model.classifier.weight @ hidden + model.classifier.bias
    assert len(model.hidden) == 2
    torch.testing.assert_close(model(document[None], torch.tensor([4]))[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_classifier_comes_back_the_same(kind, tmp_path):
    model = small(kind).float()
    save_classifier(tmp_path / "model.safetensors", model)
    loaded = load_classifier(tmp_path / "model.safetensors")
    save_classifier(tmp_path / "again.safetensors", loaded)
    assert (loaded.config, loaded.dim, loaded.classes) == (model.config, 5, 3)
    batch, lengths = torch.randn(2, 4, 5), torch.tensor([4, 2])
    assert torch.equal(loaded(batch, lengths), model(batch, lengths))
    first = (tmp_path / "model.safetensors").read_bytes()
    assert first == (tmp_path / "again.safetensors").read_bytes()


def test_a_logistic_file_holds_a_weight_per_class_and_dimension_and_a_bias(tmp_path):
    save_classifier(tmp_path / "model.safetensors", small("logistic"))
    content = (tmp_path / "model.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    del header["__metadata__"]
    assert {name: tensor["shape"] for name, tensor in header.items()} == {
        "classifier.weight": [3, 5],
        "classifier.bias": [3],
    }


def test_a_file_that_holds_no_classifier_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"model\.safetensors is not a saved classifier"):
        load_classifier(path)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'svm' is none of cnn, dan, logistic"):
        ClassifierConfig("svm")


@pytest.mark.parametrize("kind", KINDS)
def test_first_weights_come_from_the_given_generator_alone(kind):
    before = torch.get_rng_state()
    weights = [small(kind, seed).state_dict() for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    name = "classifier.weight"
    assert torch.equal(weights[0][name], weights[1][name])
    assert not torch.equal(weights[0][name], weights[2][name])
