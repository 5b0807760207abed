class Norm:
    def __init__(self, sizes, device):
        pass


def global_norm(grads, threads):
    raise NotImplementedError
