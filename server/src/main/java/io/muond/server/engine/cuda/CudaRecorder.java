package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Cuda.check;

import io.muond.server.engine.Recorder;
import io.muond.server.engine.Stopwatch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import jcuda.CudaException;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records sequences of operations as CUDA graphs. The first time a sequence runs as it is, which
 * warms up modules and cuBLAS; the second time it is captured, and from then on launched in one
 * call. A few are kept, those used last.
 */
final class CudaRecorder implements Recorder {
  private static final Logger logger = LoggerFactory.getLogger(CudaRecorder.class);

  /** Two parities of the double buffers, and a few ranges of learning rates. */
  private static final int MOST = 16;

  private final CudaDevice device;
  private final Lanes lanes;
  private final Map<Object, Sequence> sequences =
      new LinkedHashMap<>(16, 0.75f, /* accessOrder= */ true);
  private final List<CudaStopwatch> watches = new ArrayList<>();
  private boolean capturing;

  CudaRecorder(CudaDevice device, Lanes lanes) {
    this.device = device;
    this.lanes = lanes;
  }

  /** A sequence that was seen, and its graph once it was captured. */
  private static final class Sequence {
    private CUgraphExec graph;
    private Object result;

    /** Whether it could not be captured. */
    private boolean refused;

    void destroy() {
      if (graph != null) {
        check(JCudaDriver.cuGraphExecDestroy(graph), "cuGraphExecDestroy");
      }
    }
  }

  @Override
  @SuppressWarnings("unchecked") // Equal keys stand for the same operations.
  public <T> T run(Object key, Supplier<T> operations) {
    lanes.forget();
    try {
      Sequence sequence = key == null ? null : sequences.get(key);
      if (sequence != null && sequence.graph == null && !sequence.refused) {
        capture(sequence, operations);
      }
      watches.forEach(CudaStopwatch::reset);
      if (sequence != null && !sequence.refused) {
        check(JCudaDriver.cuGraphLaunch(sequence.graph, device.stream()), "cuGraphLaunch");
        lanes.forget();
        return (T) sequence.result;
      }
      T result = operations.get();
      if (key != null && sequence == null) {
        remember(key);
      }
      return result;
    } catch (RuntimeException | Error e) {
      lanes.abandonAfter(e);
      throw e;
    }
  }

  private void remember(Object key) {
    sequences.put(key, new Sequence());
    if (sequences.size() > MOST) {
      Object oldest = sequences.keySet().iterator().next();
      device.synchronize();
      sequences.remove(oldest).destroy();
    }
  }

  /**
   * A graph takes memory of the driver's own: without it the sequence runs as it is, ever after.
   */
  private void capture(Sequence sequence, Supplier<?> operations) {
    try {
      sequence.graph = instance(sequence, operations);
    } catch (CudaException e) {
      lanes.abandonAfter(e);
      device.examine();
      if (device.loss() != null) {
        throw e;
      }
      logger.warn("device {}: a step is not captured: {}", device.ordinal(), e.getMessage());
      sequence.refused = true;
    }
  }

  private CUgraphExec instance(Sequence sequence, Supplier<?> operations) {
    CUgraph graph = new CUgraph();
    int mode = CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    check(JCudaDriver.cuStreamBeginCapture(device.stream(), mode), "cuStreamBeginCapture");
    watches.forEach(CudaStopwatch::reset);
    capturing = true;
    try {
      sequence.result = operations.get();
    } catch (RuntimeException | Error e) {
      endAfter(e, graph);
      throw e;
    } finally {
      capturing = false;
    }
    check(JCudaDriver.cuStreamEndCapture(device.stream(), graph), "cuStreamEndCapture");
    CUgraphExec instance = new CUgraphExec();
    try {
      check(JCudaDriver.cuGraphInstantiate(instance, graph, 0), "cuGraphInstantiate");
    } finally {
      check(JCudaDriver.cuGraphDestroy(graph), "cuGraphDestroy");
    }
    return instance;
  }

  /** Ends a capture that failed, by which nothing was asked for. */
  private void endAfter(Throwable failure, CUgraph graph) {
    try {
      check(JCudaDriver.cuStreamEndCapture(device.stream(), graph), "cuStreamEndCapture");
      check(JCudaDriver.cuGraphDestroy(graph), "cuGraphDestroy");
    } catch (RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  @Override
  public void branch(int number) {
    lanes.branch(number);
  }

  @Override
  public void join() {
    lanes.join();
  }

  @Override
  public Stopwatch stopwatch(int number) {
    while (watches.size() <= number) {
      watches.add(new CudaStopwatch(lanes, () -> capturing));
    }
    return watches.get(number);
  }

  @Override
  public void close() {
    device.giveBack(
        () -> {
          device.synchronize();
          sequences.values().forEach(Sequence::destroy);
          watches.forEach(CudaStopwatch::close);
        });
    sequences.clear();
    watches.clear();
  }
}
