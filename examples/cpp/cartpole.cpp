// A policy learns to balance a pole on a cart (Barto, Sutton & Anderson, 1983) by REINFORCE (Williams, 1992), in C++ without
// Python: once with fastadam's C interface, once with an Adam written by hand. Both give the same bits, which it checks; it
// prints how long an optimizer step takes with each.
#include <fastadam.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

namespace {

constexpr int inputs = 4, hidden = 128, episodes = 500, longest = 200;
constexpr double lr = 0.003, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, discount = 0.99;

using Floats = std::vector<float>;

// A network with one hidden layer; its output is the log-odds of a push to the right. Weights and biases are tensors.
struct Policy {
  std::array<Floats, 4> tensors{Floats(inputs * hidden), Floats(hidden), Floats(hidden), Floats(1)};

  explicit Policy(std::mt19937& random) {
    std::normal_distribution<float> normal(0, 0.5F);
    for (float& weight : tensors[0]) weight = normal(random);
  }
};

struct Moment {
  std::array<float, inputs> state;
  std::array<float, hidden> activity;
  float odds_error;  // the derivative of the action's log-probability by the log-odds
};

// Plays one episode.
std::vector<Moment> play(const Policy& policy, std::mt19937& random) {
  std::uniform_real_distribution<float> start(-0.05F, 0.05F), chance(0, 1);
  std::array<float, inputs> s{start(random), start(random), start(random), start(random)};  // x, dx/dt, angle, its rate
  std::vector<Moment> moments;
  while (static_cast<int>(moments.size()) < longest && std::abs(s[0]) < 2.4F && std::abs(s[2]) < 0.2095F) {
    Moment now{s, {}, 0};
    float odds = policy.tensors[3][0];
    for (int j = 0; j < hidden; ++j) {
      float sum = policy.tensors[1][j];
      for (int i = 0; i < inputs; ++i) sum += policy.tensors[0][j * inputs + i] * s[i];
      now.activity[j] = std::tanh(sum);
      odds += policy.tensors[2][j] * now.activity[j];
    }
    const float right = 1 / (1 + std::exp(-odds));
    const bool pushes_right = chance(random) < right;
    now.odds_error = (pushes_right ? 1.0F : 0.0F) - right;
    moments.push_back(now);
    const float force = pushes_right ? 10.0F : -10.0F, sine = std::sin(s[2]), cosine = std::cos(s[2]);
    const float push = (force + 0.05F * s[3] * s[3] * sine) / 1.1F;
    const float turn = (9.8F * sine - cosine * push) / (0.5F * (4.0F / 3 - 0.1F * cosine * cosine / 1.1F));
    const float speed_up = push - 0.05F * turn * cosine / 1.1F;
    s = {s[0] + 0.02F * s[1], s[1] + 0.02F * speed_up, s[2] + 0.02F * s[3], s[3] + 0.02F * turn};
  }
  return moments;
}

// The gradient of minus the expected return, estimated from one episode.
std::array<Floats, 4> gradient(const Policy& policy, const std::vector<Moment>& moments, float baseline) {
  std::array<Floats, 4> grads;
  for (size_t k = 0; k < grads.size(); ++k) grads[k].assign(policy.tensors[k].size(), 0);
  double to_come = 0;
  for (size_t t = moments.size(); t-- > 0;) {
    to_come = 1 + discount * to_come;
    const Moment& now = moments[t];
    const float error = -now.odds_error * (static_cast<float>(to_come) - baseline) / longest;
    grads[3][0] += error;
    for (int j = 0; j < hidden; ++j) {
      grads[2][j] += error * now.activity[j];
      const float inner = error * policy.tensors[2][j] * (1 - now.activity[j] * now.activity[j]);
      grads[1][j] += inner;
      for (int i = 0; i < inputs; ++i) grads[0][j * inputs + i] += inner * now.state[i];
    }
  }
  return grads;
}

// Adam as written without a library.
class ByHand {
 public:
  explicit ByHand(Policy& policy) : policy_(policy) {
    for (size_t k = 0; k < 4; ++k) exp_avg_[k] = exp_avg_sq_[k] = Floats(policy.tensors[k].size());
  }

  void step(const std::array<Floats, 4>& grads) {
    ++t_;
    const float b1 = beta1, b2 = beta2, c1 = 1 - b1, c2 = 1 - b2;
    const double k1 = 1 - std::pow(double{b1}, t_), k2 = 1 - std::pow(double{b2}, t_);
    const float a = static_cast<float>(lr * std::sqrt(k2) / k1), e = static_cast<float>(eps * std::sqrt(k2));
    constexpr float least = std::numeric_limits<float>::min();
    for (size_t k = 0; k < 4; ++k) {
      for (size_t i = 0; i < grads[k].size(); ++i) {
        float &m = exp_avg_[k][i], &v = exp_avg_sq_[k][i];
        const float g = grads[k][i];
        m = b1 * m + c1 * g;
        v = b2 * v + (c2 * g) * g;
        if (std::abs(m) < least) m = 0;
        if (std::abs(v) < least) v = 0;
        policy_.tensors[k][i] -= (a * m) / (std::sqrt(v) + e);
      }
    }
  }

 private:
  Policy& policy_;
  std::array<Floats, 4> exp_avg_, exp_avg_sq_;
  int t_ = 0;
};

const fastadam_api* const api = fastadam_get_api();

void expect(bool succeeded) {
  if (succeeded) return;
  std::fprintf(stderr, "cartpole: %s\n", api->error());
  std::exit(1);
}

// The same by fastadam.
class Fused {
 public:
  explicit Fused(Policy& policy) {
    const fastadam_option options[] = {{"lr", lr}, {"beta1", beta1}, {"beta2", beta2}, {"eps", eps}, {"weight_decay", 0}};
    fastadam_rule* const adam = api->rule_new("adam", options, 5);
    expect(adam);
    std::array<fastadam_tensor, 4> tensors{};
    for (size_t k = 0; k < 4; ++k) {
      const size_t size = policy.tensors[k].size();
      exp_avg_[k] = exp_avg_sq_[k] = Floats(size);
      states_[k] = {exp_avg_[k].data(), exp_avg_sq_[k].data()};
      tensors[k] = {policy.tensors[k].data(), states_[k].data(), static_cast<int64_t>(size), 0};
    }
    const fastadam_group group{adam, tensors.data(), 4};
    tensors_.reset(api->tensors_new(&group, 1));
    expect(tensors_ != nullptr);
    api->rule_free(adam);
  }

  void step(const std::array<Floats, 4>& grads) {
    const std::array<const float*, 4> addresses{grads[0].data(), grads[1].data(), grads[2].data(), grads[3].data()};
    expect(api->tensors_step(tensors_.get(), addresses.data(), nullptr, 0, nullptr) == FASTADAM_OK);
  }

 private:
  std::array<Floats, 4> exp_avg_, exp_avg_sq_;
  std::array<std::array<float*, 2>, 4> states_;
  std::unique_ptr<fastadam_tensors, void (*)(fastadam_tensors*)> tensors_{nullptr, api->tensors_free};
};

struct Trained {
  Policy policy;
  double first, last;   // the mean length of the first and the last 40 episodes
  double microseconds;  // of an optimizer step
};

template <class Optimizer>
Trained train() {
  using Clock = std::chrono::steady_clock;
  std::mt19937 random(1);
  Trained result{Policy(random), 0, 0, 0};
  Optimizer optimizer(result.policy);
  double baseline = 0;
  for (int episode = 0; episode < episodes; ++episode) {
    const std::vector<Moment> moments = play(result.policy, random);
    const auto length = static_cast<double>(moments.size());
    baseline += 0.05 * ((1 - std::pow(discount, length / 2)) / (1 - discount) - baseline);
    const std::array<Floats, 4> grads = gradient(result.policy, moments, static_cast<float>(baseline));
    const auto start = Clock::now();
    optimizer.step(grads);
    result.microseconds += std::chrono::duration<double, std::micro>(Clock::now() - start).count() / episodes;
    if (episode < 40) result.first += length / 40;
    if (episode >= episodes - 40) result.last += length / 40;
  }
  return result;
}

}  // namespace

int main() {
  expect(api->isa());
  const Trained by_hand = train<ByHand>(), fused = train<Fused>();
  bool same = true;
  int parameters = 0;
  for (size_t k = 0; k < 4; ++k) {
    const Floats &a = by_hand.policy.tensors[k], &b = fused.policy.tensors[k];
    same = same && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
    parameters += static_cast<int>(a.size());
  }
  std::printf("balanced for %.0f steps of %d at first, for %.0f in the end\n", fused.first, longest, fused.last);
  std::printf("a step of %d parameters in 4 tensors: by hand %.2f us, fastadam %.2f us (%s)\n", parameters,
              by_hand.microseconds, fused.microseconds, api->isa());
  std::printf("parameters after %d steps: %s\n", episodes, same ? "the same bits" : "DIFFERENT");
  return same && fused.last > 3 * fused.first ? 0 : 1;
}
