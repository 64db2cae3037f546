"""The engines that run the components that process pictures with Apache Beam."""
