package io.muond.server.rpc;

import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Tests of the real services on one engine, for each test anew, with nothing kept on disk. */
abstract class OneEngineTest {
  private final int threads;
  private final long bytes;
  Engine engine;
  EnginesServer server;
  TestClient client;

  /**
   * @param threads of the engine, where it is the CPU's
   * @param bytes of its memory
   */
  OneEngineTest(int threads, long bytes) {
    this.threads = threads;
    this.bytes = bytes;
  }

  @BeforeEach
  void start() {
    engine = TestEngines.open(threads, bytes);
    server = new EnginesServer(List.of(engine), Optional.empty());
    client = server.client();
  }

  @AfterEach
  void stop() {
    server.close();
    TestEngines.close(engine);
  }
}
