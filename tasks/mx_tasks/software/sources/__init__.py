"""Where software tasks come from: releases of libraries, planted mutations, public benchmarks, generated packages."""
