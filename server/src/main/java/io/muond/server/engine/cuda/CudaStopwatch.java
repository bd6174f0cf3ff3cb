package io.muond.server.engine.cuda;

import static io.muond.server.engine.cuda.Cuda.check;

import io.muond.server.engine.Stopwatch;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_record_flags;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;

/**
 * Pairs of events on the stream of the current lane; in a graph they are recorded anew by each
 * launch.
 */
final class CudaStopwatch implements Stopwatch, AutoCloseable {
  private final Lanes lanes;
  private final BooleanSupplier capturing;
  private final List<CUevent> events = new ArrayList<>();

  /** Events recorded since the sequence began; a graph records as many as when it was captured. */
  private int used;

  private int captured;

  CudaStopwatch(Lanes lanes, BooleanSupplier capturing) {
    this.lanes = lanes;
    this.capturing = capturing;
  }

  /** A sequence begins. */
  void reset() {
    used = 0;
  }

  @Override
  public void start() {
    record();
  }

  @Override
  public void stop() {
    record();
  }

  private void record() {
    if (used == events.size()) {
      CUevent event = new CUevent();
      check(JCudaDriver.cuEventCreate(event, 0), "cuEventCreate");
      events.add(event);
    }
    CUevent event = events.get(used++);
    CUstream stream = lanes.current().stream();
    if (capturing.getAsBoolean()) {
      int external = CUevent_record_flags.CU_EVENT_RECORD_EXTERNAL;
      check(JCudaDriver.cuEventRecordWithFlags(event, stream, external), "cuEventRecordWithFlags");
      captured = used;
    } else {
      check(JCudaDriver.cuEventRecord(event, stream), "cuEventRecord");
    }
  }

  @Override
  public boolean isAtOnce() {
    return false;
  }

  @Override
  public void await() {
    check(JCudaDriver.cuEventSynchronize(events.get(used - 1)), "cuEventSynchronize");
  }

  @Override
  public double seconds() {
    double seconds = 0;
    // A launched graph records the events that were captured.
    int recorded = used == 0 ? captured : used;
    float[] milliseconds = new float[1];
    for (int i = 0; i + 1 < recorded; i += 2) {
      check(
          JCudaDriver.cuEventElapsedTime(milliseconds, events.get(i), events.get(i + 1)),
          "cuEventElapsedTime");
      seconds += milliseconds[0] * 1e-3;
    }
    return seconds;
  }

  @Override
  public void close() {
    for (CUevent event : events) {
      check(JCudaDriver.cuEventDestroy(event), "cuEventDestroy");
    }
    events.clear();
  }
}
