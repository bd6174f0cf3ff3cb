package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.muond.v1.Linear;
import io.muond.v1.Module;
import io.muond.v1.Precision;
import io.muond.v1.Rule;
import io.muond.v1.Sequence;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A precision that the engine lacks, which only the CPU engine does. */
class PrecisionRefusalTest {
  private static final Rule HALF =
      Rule.newBuilder().setPrecision(Precision.PRECISION_FLOAT16).build();

  private final TestServer server = new TestServer();
  private final TestClient client = server.client();

  @AfterEach
  void stop() {
    server.close();
  }

  private static Module.Builder linear(String name) {
    return Module.newBuilder().setLinear(Linear.newBuilder().setName(name).setOut(4).setIn(2));
  }

  @Test
  void anAtomsOwnIsNamedByItsPlaceInTheTree() {
    Module.Builder own = linear("own");
    own.getLinearBuilder().getSettingsBuilder().setRule(HALF);
    Module tree =
        Module.newBuilder()
            .setSequence(Sequence.newBuilder().addModules(linear("first")).addModules(own))
            .build();
    assertThat(catchThrowable(() -> client.create(small("m").setModule(tree))))
        .hasMessageContaining("module.sequence[1].linear.rule.precision of parameter \"own\": ");
  }

  @Test
  void aModelsIsNamedAsTheModels() {
    assertThat(
            catchThrowable(
                () -> client.create(small("m").setModule(linear("w")).setDefaultRule(HALF))))
        .hasMessageContaining("default_rule.precision of parameter \"w\": ");
  }
}
