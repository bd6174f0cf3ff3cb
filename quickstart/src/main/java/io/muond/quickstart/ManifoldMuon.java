package io.muond.quickstart;

import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.StepOptions;
import io.muond.client.Tensor;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Manifold;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.Rule;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Manifold Muon on a server: each layer's weight lives there, on the Stiefel manifold of radius
 * sqrt(out / in). A step sends the gradients and comes back with the new weights.
 */
final class ManifoldMuon implements Optimizer, AutoCloseable {

  private final MuondClient client;
  private final ModelHandle model;
  private List<Matrix> weights;

  private ManifoldMuon(MuondClient client, ModelHandle model) {
    this.client = client;
    this.model = model;
    this.weights = matrices(model.readWeights().tensors());
  }

  /** A new model of the network's shapes, with weights drawn by the server from the seed. */
  static ManifoldMuon create(String address, Mlp network, double momentum, long seed) {
    ParameterList.Builder parameters = ParameterList.newBuilder();
    for (int i = 0; i < network.layers(); i++) {
      parameters.addParameters(
          Parameter.newBuilder()
              .setName("layer." + i)
              .addShape(network.rows(i))
              .addShape(network.columns(i))
              .setManifold(Manifold.MANIFOLD_STIEFEL));
    }
    CreateModelRequest request =
        CreateModelRequest.newBuilder()
            .setModel("digits-" + seed)
            .setParameters(parameters)
            .setSeed(seed)
            .setDefaultRule(Rule.newBuilder().setMomentum(momentum))
            .build();
    MuondClient client = MuondClient.connect(address);
    try {
      return new ManifoldMuon(client, client.createModel(request));
    } catch (RuntimeException e) {
      client.close();
      throw e;
    }
  }

  @Override
  public List<Matrix> weights() {
    return weights;
  }

  @Override
  public void step(List<Matrix> gradients, double learningRate) {
    StepOptions options = StepOptions.learningRate(learningRate).withReturnedWeights();
    weights = matrices(model.step(tensors(gradients), options).weights());
  }

  private Map<String, Tensor> tensors(List<Matrix> matrices) {
    Map<String, Tensor> tensors = new HashMap<>();
    for (int i = 0; i < matrices.size(); i++) {
      Matrix matrix = matrices.get(i);
      tensors.put(name(i), Tensor.of(matrix.data(), matrix.rows(), matrix.columns()));
    }
    return tensors;
  }

  private List<Matrix> matrices(Map<String, Tensor> tensors) {
    List<Matrix> matrices = new ArrayList<>();
    for (int i = 0; i < tensors.size(); i++) {
      Tensor tensor = tensors.get(name(i));
      int rows = Math.toIntExact(tensor.shape()[0]);
      int columns = Math.toIntExact(tensor.shape()[1]);
      matrices.add(new Matrix(rows, columns, tensor.values()));
    }
    return List.copyOf(matrices);
  }

  private String name(int layer) {
    return model.parameters().get(layer).getName();
  }

  /** Ends the connection. The model stays on the server. */
  @Override
  public void close() {
    model.close();
    client.close();
  }
}
