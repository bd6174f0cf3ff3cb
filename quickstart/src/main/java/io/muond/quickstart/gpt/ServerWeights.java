package io.muond.quickstart.gpt;

import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.StepOptions;
import io.muond.client.Tensor;
import io.muond.v1.AdamWOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Manifold;
import io.muond.v1.Norm;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.Rule;
import io.muond.v1.Schedule;
import io.muond.v1.Upload;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/** A network's weights on a server, which moves them. A step sends gradients and reads weights. */
final class ServerWeights implements AutoCloseable {
  private static final double MOMENTUM = 0.9;
  private static final double BETA_2 = 0.99;
  private static final double WEIGHT_DECAY = 0.1;

  private final ModelHandle model;
  private final Map<String, Mat> weights = new TreeMap<>();

  private ServerWeights(ModelHandle model) {
    this.model = model;
    take(model.readWeights().tensors());
  }

  /**
   * Manifold Muon on all matrices, spheres for the embedding's rows, AdamW for the bias; the tree's
   * plan divides the learning rate between them. Weights are drawn by the server.
   */
  static ServerWeights onManifolds(
      MuondClient client, GptShape shape, Schedule schedule, long seed) {
    return new ServerWeights(
        client.createModel(
            CreateModelRequest.newBuilder()
                .setModel("gpt-manifolds-" + schedule.getLearningRate())
                .setModule(GptTree.of(shape, Norms.onManifolds(shape)))
                .setDefaultRule(Rule.newBuilder().setMomentum(MOMENTUM).setNesterov(true))
                .setSchedule(schedule)
                .setSeed(seed)
                .build()));
  }

  /** Initial weights on their manifolds. */
  static Map<String, Mat> drawn(MuondClient client, GptShape shape, long seed) {
    try (ServerWeights model =
        onManifolds(client, shape, Schedule.newBuilder().setLearningRate(0).build(), seed)) {
      return model.weights();
    }
  }

  /** AdamW on everything, from these weights; matrices have weight decay. */
  static ServerWeights underAdamW(
      MuondClient client, GptShape shape, Map<String, Mat> start, Schedule schedule) {
    ParameterList.Builder parameters = ParameterList.newBuilder();
    shape
        .weights()
        .forEach(
            (name, weight) -> {
              boolean vector = weight.rows() == 1;
              Parameter.Builder parameter =
                  Parameter.newBuilder()
                      .setName(name)
                      .setManifold(Manifold.MANIFOLD_EUCLIDEAN)
                      .setNorm(Norm.NORM_ADAMW)
                      .setRule(adamW(vector ? 0 : WEIGHT_DECAY));
              if (!vector) {
                parameter.addShape(weight.rows());
              }
              parameters.addParameters(parameter.addShape(weight.columns()));
            });
    ModelHandle model =
        client.createModel(
            CreateModelRequest.newBuilder()
                .setModel("gpt-adamw-" + schedule.getLearningRate())
                .setParameters(parameters)
                .setSchedule(schedule)
                .setUpload(Upload.getDefaultInstance())
                .build());
    Map<String, Tensor> tensors = new HashMap<>();
    for (Parameter parameter : model.parameters()) {
      tensors.put(parameter.getName(), tensor(parameter, start.get(parameter.getName())));
    }
    model.writeWeights(tensors);
    return new ServerWeights(model);
  }

  private static Rule adamW(double weightDecay) {
    return Rule.newBuilder()
        .setAdamw(AdamWOptions.newBuilder().setBeta2(BETA_2))
        .setWeightDecay(weightDecay)
        .build();
  }

  /** As of the last step, by name. They must not be changed. */
  Map<String, Mat> weights() {
    return weights;
  }

  /**
   * One step at the rate of the schedule.
   *
   * @return the seconds that it took on the server
   */
  double step(Map<String, Mat> gradients) {
    Map<String, Tensor> tensors = new HashMap<>();
    for (Parameter parameter : model.parameters()) {
      tensors.put(parameter.getName(), tensor(parameter, gradients.get(parameter.getName())));
    }
    var done = model.step(tensors, StepOptions.scheduled().withReturnedWeights());
    take(done.weights());
    return done.report().getSeconds();
  }

  private static Tensor tensor(Parameter parameter, Mat mat) {
    long[] shape = parameter.getShapeList().stream().mapToLong(Long::longValue).toArray();
    return Tensor.of(mat.values(), shape);
  }

  private void take(Map<String, Tensor> tensors) {
    tensors.forEach(
        (name, tensor) -> {
          long[] shape = tensor.shape();
          int columns = Math.toIntExact(shape[shape.length - 1]);
          float[] values = tensor.values();
          weights.put(name, Mat.of(values.length / columns, columns, values));
        });
  }

  /** Deletes the model. */
  @Override
  public void close() {
    model.delete();
    model.close();
  }
}
