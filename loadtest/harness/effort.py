"""How long a run looks: seconds and repeats of each scenario, by effort, and so how long it will take. Of fewer than five repeats no
difference is proven; light has a p99 from 10 s on."""
import dataclasses

OBJECTIVE = {"p99_ms": 10}


@dataclasses.dataclass
class Effort:
    name: str
    repeats: int
    warm_up_s: int
    saturation_s: int
    mixed_s: int
    light_s: int
    heavy_s: int
    rate_s: int
    rates: tuple            # requests/s, open loop
    clients: tuple          # of saturation, beside the usual number
    clients_s: int
    capacity_s: int
    capacity_steps: int     # rates tried in a session
    capacity_repeats: int
    fault_repeats: int
    frozen_s: int           # how long PostgreSQL is stopped
    after_fault_s: int
    ablation_s: int
    ablation_repeats: int


QUICK = Effort("quick", repeats=2, warm_up_s=1, saturation_s=1, mixed_s=1, light_s=1, heavy_s=1, rate_s=1, rates=(1000, 3000), clients=(256,), clients_s=1,
               capacity_s=1, capacity_steps=5, capacity_repeats=1, fault_repeats=1, frozen_s=1, after_fault_s=2, ablation_s=1,
               ablation_repeats=1)
STANDARD = Effort("standard", repeats=5, warm_up_s=1, saturation_s=3, mixed_s=3, light_s=10, heavy_s=4, rate_s=2,
                  rates=(1000, 3000, 9000), clients=(16, 256), clients_s=2, capacity_s=3, capacity_steps=6, capacity_repeats=3, fault_repeats=2, frozen_s=5,
                  after_fault_s=4, ablation_s=2, ablation_repeats=5)
FULL = Effort("full", repeats=9, warm_up_s=5, saturation_s=15, mixed_s=15, light_s=30, heavy_s=120, rate_s=10,
              rates=(500, 1000, 2000, 4000, 8000, 16000, 32000), clients=(16, 256), clients_s=10, capacity_s=10, capacity_steps=8, capacity_repeats=5,
              fault_repeats=5, frozen_s=5, after_fault_s=10, ablation_s=10, ablation_repeats=9)
