package io.muond.server.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.Channel;
import io.grpc.netty.shaded.io.netty.channel.ChannelHandlerContext;
import io.grpc.netty.shaded.io.netty.channel.ChannelInboundHandlerAdapter;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.IoHandlerFactory;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.ServerChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.Epoll;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioServerSocketChannel;
import io.grpc.netty.shaded.io.netty.handler.ssl.NotSslRecordException;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslHandler;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import java.net.SocketAddress;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connections of a server: no more than so many, each known by its peer. One too many is closed
 * before a byte of it is read.
 */
final class Connections implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(Connections.class);

  private final int most;
  private final BiConsumer<SocketAddress, String> onFailedHandshake;
  private final AtomicInteger count = new AtomicInteger();
  private final LongAdder refused = new LongAdder();
  private final LongAdder failedHandshakes = new LongAdder();
  private final Map<SocketAddress, Channel> open = new ConcurrentHashMap<>();
  private final EventLoopGroup accepting;
  private final EventLoopGroup working;
  private boolean full;

  /**
   * @param most how many there may be at once
   * @param onFailedHandshake is told the peer and what went wrong
   */
  Connections(int most, BiConsumer<SocketAddress, String> onFailedHandshake) {
    this.most = most;
    this.onFailedHandshake = requireNonNull(onFailedHandshake, "onFailedHandshake is null");
    IoHandlerFactory io =
        Epoll.isAvailable() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    accepting = new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("accept", true), io);
    // 0: as many as gRPC takes by itself, two for each processor.
    working = new MultiThreadIoEventLoopGroup(0, new DefaultThreadFactory("transport", true), io);
  }

  /** Makes a server's connections go through this. */
  void guard(NettyServerBuilder builder) {
    builder
        .bossEventLoopGroup(accepting)
        .workerEventLoopGroup(working)
        .channelFactory(this::listener);
  }

  private ServerChannel listener() {
    ServerChannel listener =
        Epoll.isAvailable() ? new EpollServerSocketChannel() : new NioServerSocketChannel();
    listener.pipeline().addLast(new Admission());
    return listener;
  }

  /** How many there are, and were refused. */
  ConnectionCounts counts() {
    return new ConnectionCounts(count.get(), refused.sum(), failedHandshakes.sum());
  }

  /** Closes the connection from {@code peer}, if there still is one: its calls are cancelled. */
  void end(SocketAddress peer) {
    Channel channel = open.get(peer);
    if (channel != null) {
      // Past the handlers, which would wait for its calls.
      channel.eventLoop().execute(() -> channel.unsafe().close(channel.voidPromise()));
    }
  }

  /** Closes all connections. */
  void endAll() {
    open.keySet().forEach(this::end);
  }

  /** Lets the calls on the connection from {@code peer} end, and then closes it. */
  void retire(SocketAddress peer) {
    Channel channel = open.get(peer);
    if (channel != null) {
      var unused = channel.close();
    }
  }

  @Override
  public void close() {
    for (EventLoopGroup group : List.of(accepting, working)) {
      var unused = group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
  }

  /** Sees every connection that was accepted, before anything else does, on one thread. */
  private final class Admission extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object accepted) {
      Channel channel = (Channel) accepted;
      if (count.incrementAndGet() > most) {
        count.decrementAndGet();
        refused.increment();
        channel.unsafe().closeForcibly();
        warn();
        return;
      }
      full = false;
      // None if it has gone already.
      SocketAddress peer = channel.remoteAddress();
      if (peer != null) {
        open.put(peer, channel);
      }
      var unused =
          channel
              .closeFuture()
              .addListener(
                  closed -> {
                    if (peer != null) {
                      open.remove(peer, channel);
                    }
                    count.decrementAndGet();
                  });
      channel.pipeline().addLast(new HandshakeWatch());
      context.fireChannelRead(channel);
    }

    /** Once for as long as it stays so. */
    private void warn() {
      if (!full) {
        full = true;
        logger.warn("{} connections are open: more are closed at once (--max-connections)", most);
      }
    }
  }

  /** Tells of a TLS handshake that fails once the client has said something. */
  private final class HandshakeWatch extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      SocketAddress peer = context.channel().remoteAddress();
      SslHandler tls = context.pipeline().get(SslHandler.class);
      if (tls != null) {
        var unused =
            tls.handshakeFuture()
                .addListener(
                    done -> {
                      if (!done.isSuccess()) {
                        failedHandshakes.increment();
                        onFailedHandshake.accept(peer, fault(done.cause()));
                      }
                    });
      }
      context.pipeline().remove(this);
      context.fireChannelRead(message);
    }
  }

  private static String fault(Throwable cause) {
    if (cause instanceof NotSslRecordException) {
      // Its message holds what was sent, which may be a token.
      return "not TLS";
    }
    Throwable root = cause;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage();
  }
}
